"""What a release is made with: its checks, the list of its parts (SBOM) and their licences. No part of the program."""
