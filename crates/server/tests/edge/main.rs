//! The edge as browsers and programs meet it.

mod authorization;
mod house;
mod requests;
mod viewer;
