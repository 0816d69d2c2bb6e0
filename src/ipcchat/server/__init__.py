"""Who is here, who may do what, delivery. It knows no screen."""
