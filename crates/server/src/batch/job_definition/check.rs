//! What RegisterJobDefinition refuses, in the live service's words (section A.3).
