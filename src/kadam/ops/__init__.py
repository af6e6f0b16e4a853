"""The operations of the PyTorch surface: one room per family, each operation declared once."""
