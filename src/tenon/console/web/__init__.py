"""The console's pages (NiceGUI) and the few routes beside them."""
