"""BibTeX for what an experiment uses: `bench cite`. Read `cite` first; `entries.bib` holds what is certain."""
