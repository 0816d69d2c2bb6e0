"""The screen: a view of the client's model. It knows no socket, no server and no journal."""
