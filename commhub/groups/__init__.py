"""Groups that talk one at a time: who is in them, calls, the floor, emergencies."""
