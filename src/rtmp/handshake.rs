//! The handshake that precedes all chunks: it follows in the next change.
