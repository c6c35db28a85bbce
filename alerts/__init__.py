"""Alert rules, and what is generated from them."""
