//! What can go wrong while a host's GPUs are read or switched.

use oriel_model::GpuAddress;

#[derive(Debug, thiserror::Error)]
pub enum GpuError {
    #[error("{path} cannot be read: {source}")]
    Read { path: String, source: std::io::Error },
    #[error("{path} cannot be written: {source}")]
    Write { path: String, source: std::io::Error },
    #[error("{path} is no capture of a host: {reason}; make one with `oriel gpu capture -o FILE`")]
    NoCapture { path: String, reason: String },
    #[error("there is no GPU {address} on {host}; `oriel gpu list` shows {known}")]
    NoSuchGpu { address: GpuAddress, host: String, known: String },
}
