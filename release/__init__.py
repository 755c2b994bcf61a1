"""What makes a release of this project, and what it may not break. No part of the program."""
