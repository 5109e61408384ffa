//! The commands, one file per noun.

pub mod audit;
pub mod backup;
pub mod cloud;
pub mod config;
pub mod desktop;
pub mod device;
pub mod directory;
pub mod doctor;
pub mod gpu;
pub mod group;
pub mod image;
pub mod import;
pub mod machine;
pub mod operation;
pub mod pool;
pub mod provider;
pub mod recording;
pub mod serve;
pub mod session;
pub mod token;
pub mod user;
