"""What each kind of plug-in is given and answers; a new one is one file in the folder of its kind."""
