"""What people hold in their hands: the close pack."""
