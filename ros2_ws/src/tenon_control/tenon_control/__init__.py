"""Controllers, command mux and safety supervisor."""
