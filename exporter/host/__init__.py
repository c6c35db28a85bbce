"""This node: which addresses are bound on it, its interfaces and their MACs. It asks the kernel and changes nothing."""
