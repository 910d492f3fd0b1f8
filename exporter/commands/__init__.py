"""The commands, in the words of the command line; how anything is done stands elsewhere."""
