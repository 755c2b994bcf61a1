"""What is known of each interaction: the table, its stores on disk, and the sweep that forgets."""
