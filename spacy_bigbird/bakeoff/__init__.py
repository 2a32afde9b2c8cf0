"""The same head over whole documents, windows and beginnings, and over other encoders: trained and compared."""
