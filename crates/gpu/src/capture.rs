//! A host's GPU state in one file: what the engine reads, without secrets or serial numbers. A bug report is a capture.
