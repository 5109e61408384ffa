//! How to choose among what fits.

use crate::CardId;
use std::{fmt, str::FromStr};

/// Of the places that have room, which one. None refuses what fits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// As many desktops as possible, now and later.
    ///
    /// Cards whose units exclude other kinds are filled one after the other, fullest first, since what is scarce is cards that
    /// nobody has begun. Where units mix, the place is chosen after which the host will end up least wasted, as far as what
    /// was asked for until now tells (the module `waste`).
    #[default]
    Density,
    /// As few neighbours on a card as possible, as long as that takes nothing from others: while more than `reserve_percent` of
    /// the group's cards are untouched it spreads over cards that serve the profile and begins others; then it fills as
    /// `density` does, so that cards become empty again.
    Performance { reserve_percent: u8 },
    /// These cards, in this order, and no others.
    Explicit(Vec<CardId>),
    /// What others do, to measure against.
    Baseline(Baseline),
}

impl Policy {
    /// Untouched cards below which `performance` stops spreading.
    pub const RESERVE_PERCENT: u8 = 10;

    pub const fn performance() -> Self {
        Self::Performance { reserve_percent: Self::RESERVE_PERCENT }
    }
}

/// Policies of other systems, for benchmarks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baseline {
    /// The first host that has room, and there the fullest card.
    FirstFit,
    /// The host with the least left (Weng et al., USENIX ATC '23, their BestFit).
    BestFit,
    /// Any, by a generator that starts at `seed`.
    Random { seed: u64 },
    /// Fragmentation gradient descent as published: score rounded down, ties to the first host (Weng et al., §4).
    Fgd,
    /// XenServer's default: least remaining capacity for the type (`vgpuops.ml`).
    DepthFirst,
    /// XenServer's "maximum performance": most remaining capacity for the type.
    BreadthFirst,
}

impl Policy {
    /// The policies that have a name alone, for programs that offer a choice.
    pub const NAMES: [&'static str; 8] =
        ["density", "performance", "first-fit", "best-fit", "random", "fgd", "depth-first", "breadth-first"];
}

impl FromStr for Policy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "density" => Self::Density,
            "performance" => Self::performance(),
            "first-fit" => Self::Baseline(Baseline::FirstFit),
            "best-fit" => Self::Baseline(Baseline::BestFit),
            "random" => Self::Baseline(Baseline::Random { seed: 1 }),
            "fgd" => Self::Baseline(Baseline::Fgd),
            "depth-first" => Self::Baseline(Baseline::DepthFirst),
            "breadth-first" => Self::Baseline(Baseline::BreadthFirst),
            _ => return Err(format!("`{text}` is no placement policy; it is one of {}", Self::NAMES.join(", "))),
        })
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Density => "density",
            Self::Performance { .. } => "performance",
            Self::Explicit(_) => "explicit",
            Self::Baseline(Baseline::FirstFit) => "first-fit",
            Self::Baseline(Baseline::BestFit) => "best-fit",
            Self::Baseline(Baseline::Random { .. }) => "random",
            Self::Baseline(Baseline::Fgd) => "fgd",
            Self::Baseline(Baseline::DepthFirst) => "depth-first",
            Self::Baseline(Baseline::BreadthFirst) => "breadth-first",
        })
    }
}
