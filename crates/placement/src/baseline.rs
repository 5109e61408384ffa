//! What others measure, to measure against.

use crate::{group::Group, state::HostState, typical::Typical};

/// Weng et al.'s fragment measure of a host (`pkg/utils/frag.go`): over the typical tasks, weighted, the idle GPU thousandths
/// that a task cannot use; all of them where it cannot run at all. In thousandths of thousandths.
pub(crate) fn fragments(state: &HostState, typical: &[Typical], groups: &[Group]) -> i64 {
    let all = state.idle_milli(groups);
    let (mut sum, mut weights) = (0.0, 0.0);
    for kind in typical {
        let (mut fit, mut left) = (0, 0);
        for card in &state.cards {
            let Some(group) = groups.get(usize::from(card.group)) else { continue };
            let fits = kind.choice(card.group).is_some_and(|choice| {
                let profile = group.profiles.get(usize::from(choice.profile));
                profile.is_some_and(|profile| card.first_fit(choice, profile, group).is_ok())
            });
            if fits {
                fit += 1;
            } else {
                left += i64::from(card.free_milli(group));
            }
        }
        let runs = kind.shape.count > 0 && kind.shape.cpu <= state.cpu && fit >= kind.shape.count;
        sum += kind.weight as f64 * if runs { left } else { all } as f64;
        weights += kind.weight as f64;
    }
    (sum * 1000.0 / weights.max(1.0)) as i64
}

/// Their score, `⌊100·sigmoid(Δ/1000)⌋`, turned so that less is better.
pub(crate) fn gradient(less: i64) -> u64 {
    let sigmoid = 100.0 / (1.0 + (-(less as f64) / 1_000_000.0).exp());
    100 - (sigmoid.floor() as u64).min(100)
}

/// What is left of GPUs and CPUs, each against the largest host's (8 GPUs, 128 CPUs).
pub(crate) fn best_fit(state: &HostState, groups: &[Group]) -> u64 {
    (state.idle_milli(groups) * 1000 / 8 + state.cpu * 1000 / 128).max(0) as u64
}
