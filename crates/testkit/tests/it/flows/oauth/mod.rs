//! What resource servers ask and standard clients do.
