//! What a client sees of an HTTPS address: connection, certificate chain, answers.
