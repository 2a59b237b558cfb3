//! Engine.IO packets.
