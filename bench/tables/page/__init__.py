"""One HTML page of tables and figures that needs no server. Read `html` first."""
