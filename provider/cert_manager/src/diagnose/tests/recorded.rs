//! The same on objects that were recorded on a real cluster.
