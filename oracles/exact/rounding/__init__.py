"""Programs as a dtype rounds them: how far what runs may be off."""
