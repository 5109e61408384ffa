//! What a desktop asks for, and which profiles of which groups would do.

use crate::{Span, group::Group, profile::Several, state::Choice};
use oriel_model::{GpuMode, GpuRequest, GpuWish};

/// Does it matter that a desktop's CPUs, memory and GPUs belong to one NUMA node?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NumaWish {
    /// No: it may float.
    #[default]
    Any,
    /// One node where one has room, else any.
    Prefer,
    /// One node or nothing.
    Require,
}

/// The GPU part of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Wish {
    /// No GPU.
    #[default]
    None,
    Units(GpuRequest),
    /// Parts of cards that are shared by amount ([`Group::with_share`](crate::Group::with_share)): `amount` of each of `count`.
    Share {
        amount: u32,
        count: u32,
    },
}

/// One desktop's request: all its units are of one kind and on one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub wish: Wish,
    /// Thousandths of a CPU.
    pub cpu_milli: u64,
    pub memory_mib: u64,
    pub numa: NumaWish,
    pub span: Span,
    /// Names of groups that will do; empty: any.
    pub groups: Vec<String>,
}

impl Request {
    pub fn new(wish: Wish, cpu_milli: u64, memory_mib: u64) -> Self {
        Self { wish, cpu_milli, memory_mib, numa: NumaWish::Any, span: Span::from(0), groups: Vec::new() }
    }

    /// A request for `count` units of a profile.
    pub fn profile(key: &str, count: u32) -> Wish {
        Wish::Units(GpuRequest { profile: Some(key.to_owned()), count, ..GpuRequest::default() })
    }

    pub fn over(mut self, span: Span) -> Self {
        self.span = span;
        self
    }
}

/// Everything about a request but its time: requests of one shape are answered from one memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    /// Equally good.
    pub choices: Vec<Choice>,
    pub count: u32,
    pub cpu: i64,
    pub memory: i64,
    pub numa: NumaWish,
    /// `performance` may begin another card.
    pub may_open: bool,
}

/// The shapes that would do, best first: shared before slice before whole, and the smallest framebuffer that suffices first.
/// Empty when no group knows what is asked for.
pub(crate) fn resolve(request: &Request, groups: &[Group]) -> Vec<Shape> {
    let shape = |choices, count| Shape {
        choices,
        count,
        cpu: request.cpu_milli.min(i64::MAX as u64) as i64,
        memory: request.memory_mib.min(i64::MAX as u64) as i64,
        numa: request.numa,
        may_open: true,
    };
    let allowed = groups
        .iter()
        .enumerate()
        .filter(|(_, group)| request.groups.is_empty() || request.groups.contains(&group.name));
    match &request.wish {
        Wish::None => vec![shape(Vec::new(), 0)],
        Wish::Share { amount, count } => {
            let choices: Vec<_> = allowed
                .filter_map(|(at, group)| Some((at, group.share?)))
                .map(|(at, share)| Choice { group: at as u16, profile: share as u16, pool: [*amount, 0, 0] })
                .collect();
            if choices.is_empty() { Vec::new() } else { vec![shape(choices, (*count).clamp(1, GpuRequest::COUNT_MAX))] }
        }
        Wish::Units(wish) => {
            let count = wish.count.clamp(1, GpuRequest::COUNT_MAX);
            let mut found: Vec<((u8, u64), Choice)> = Vec::new();
            for (at, group) in allowed.filter(|(_, group)| vendor_fits(wish.vendor.as_deref(), &group.vendor)) {
                for (index, profile) in group.profiles.iter().enumerate() {
                    let named = match &wish.profile {
                        Some(key) => *key == profile.key,
                        None => {
                            profile.automatic && profile.framebuffer_mib >= wish.min_framebuffer_mib.unwrap_or_default()
                        }
                    };
                    if named
                        && mode_fits(wish.mode, profile.mode)
                        && (count == 1 || profile.several != Several::No)
                        && group.share != Some(index)
                    {
                        let choice = Choice { group: at as u16, profile: index as u16, pool: profile.pool };
                        found.push(((tier(profile.mode), profile.framebuffer_mib), choice));
                    }
                }
            }
            found.sort_by_key(|(rank, _)| *rank);
            let mut shapes: Vec<((u8, u64), Shape)> = Vec::new();
            for (rank, choice) in found {
                match shapes.last_mut() {
                    Some((last, shape)) if *last == rank => shape.choices.push(choice),
                    _ => shapes.push((rank, shape(vec![choice], count))),
                }
            }
            shapes.into_iter().map(|(_, shape)| shape).collect()
        }
    }
}

const fn tier(mode: GpuMode) -> u8 {
    match mode {
        GpuMode::Shared => 0,
        GpuMode::Vgpu | GpuMode::Vf => 1,
        GpuMode::Whole | GpuMode::Host => 2,
    }
}

const fn mode_fits(wish: GpuWish, mode: GpuMode) -> bool {
    match wish {
        GpuWish::Auto => true,
        GpuWish::Whole => matches!(mode, GpuMode::Whole),
        GpuWish::Vgpu => matches!(mode, GpuMode::Vgpu),
        GpuWish::Vf => matches!(mode, GpuMode::Vf),
        GpuWish::Shared => matches!(mode, GpuMode::Shared),
    }
}

fn vendor_fits(wish: Option<&str>, vendor: &str) -> bool {
    match wish {
        None => true,
        Some("nvidia") => vendor == "10de",
        Some("amd") => vendor == "1002",
        Some("intel") => vendor == "8086",
        Some(id) => id.eq_ignore_ascii_case(vendor),
    }
}
