"""From what was committed to each follower: rooms, when they hand out, cursors, pages."""
