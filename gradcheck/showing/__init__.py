"""How anything is shown, to people and to programs, whatever it is made of."""
