// Nothing but the precompiled header is wanted of this file.
