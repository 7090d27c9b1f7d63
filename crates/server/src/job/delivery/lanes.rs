//! Whose turn it is: work that this node holds, in lanes by where it goes. Pure: no store, no clock, no tasks.
//!
//! A lane carries so many things at once and so many a second. Within a lane the resources take turns, so that one
//! resource's million does not delay another's one; and no resource fills more than half of what a node carries at once.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use base::Timestamp;

use crate::service::delivery::Kind;

/// Where something goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Lane {
    /// The place of the cell among those of this node.
    pub(super) cell: usize,
    pub(super) kind: Kind,
    pub(super) destination: String,
}

/// How much a lane carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// At once.
    pub(super) at_once: usize,
    /// A second; none is no limit.
    pub(super) per_second: Option<u32>,
}

#[derive(Debug)]
struct Track<T> {
    /// What waits, by resource.
    waiting: HashMap<usize, VecDeque<T>>,
    /// The resources that have something waiting, in turn.
    turns: VecDeque<usize>,
    carried: usize,
    pace: Pace,
    /// When the next may begin, where the lane has a rate.
    not_before: Timestamp,
}

/// What a node holds and carries.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    tracks: HashMap<Lane, Track<T>>,
    turns: VecDeque<Lane>,
    /// By resource: how much waits and is carried.
    held: Vec<usize>,
    carried_of: Vec<usize>,
    carried: usize,
    at_once: usize,
}

impl<T> Lanes<T> {
    /// For so many resources, carrying at most `at_once` things.
    pub(super) fn new(resources: usize, at_once: usize) -> Self {
        Self {
            tracks: HashMap::new(),
            turns: VecDeque::new(),
            held: vec![0; resources],
            carried_of: vec![0; resources],
            carried: 0,
            at_once: at_once.max(1),
        }
    }

    /// How much of a resource waits or is carried.
    pub(super) fn held(&self, resource: usize) -> usize {
        self.held[resource]
    }

    /// Puts something in line.
    pub(super) fn push(&mut self, lane: Lane, resource: usize, pace: Pace, item: T) {
        self.held[resource] += 1;
        let track = self.tracks.entry(lane.clone()).or_insert_with(|| Track {
            waiting: HashMap::new(),
            turns: VecDeque::new(),
            carried: 0,
            pace,
            not_before: Timestamp::EPOCH,
        });
        if track.turns.is_empty() {
            self.turns.push_back(lane);
        }
        let waiting = track.waiting.entry(resource).or_default();
        if waiting.is_empty() {
            track.turns.push_back(resource);
        }
        waiting.push_back(item);
    }

    /// The next thing to carry, with its lane and resource. [`Self::done`] must follow.
    pub(super) fn next(
        &mut self,
        now: Timestamp,
        paused: impl Fn(Kind, usize) -> bool,
    ) -> Option<(Lane, usize, T)> {
        if self.carried >= self.at_once {
            return None;
        }
        for _ in 0..self.turns.len() {
            let lane = self.turns.pop_front()?;
            let taken = self.take(&lane, now, &paused);
            if self.tracks.get(&lane).is_some_and(|track| !track.turns.is_empty()) {
                self.turns.push_back(lane.clone());
            }
            if let Some((resource, item)) = taken {
                self.carried += 1;
                self.carried_of[resource] += 1;
                return Some((lane, resource, item));
            }
        }
        None
    }

    fn take(
        &mut self,
        lane: &Lane,
        now: Timestamp,
        paused: &impl Fn(Kind, usize) -> bool,
    ) -> Option<(usize, T)> {
        let track = self.tracks.get_mut(lane)?;
        if track.carried >= track.pace.at_once.max(1) || now < track.not_before {
            return None;
        }
        for _ in 0..track.turns.len() {
            let resource = track.turns.pop_front()?;
            // Half of it, so that there is always room for somebody else.
            let filled = self.carried_of[resource] >= self.at_once.div_ceil(2);
            if filled || paused(lane.kind, resource) {
                track.turns.push_back(resource);
                continue;
            }
            let waiting = track.waiting.get_mut(&resource)?;
            let item = waiting.pop_front()?;
            if waiting.is_empty() {
                track.waiting.remove(&resource);
            } else {
                track.turns.push_back(resource);
            }
            track.carried += 1;
            if let Some(rate) = track.pace.per_second {
                let gap = Duration::from_micros(1_000_000 / u64::from(rate.max(1)));
                // What was not used in the past is not made up for.
                track.not_before = now.plus(gap);
            }
            return Some((resource, item));
        }
        None
    }

    /// Something that was carried has ended, one way or the other.
    pub(super) fn done(&mut self, lane: &Lane, resource: usize) {
        self.carried = self.carried.saturating_sub(1);
        self.held[resource] = self.held[resource].saturating_sub(1);
        self.carried_of[resource] = self.carried_of[resource].saturating_sub(1);
        if let Some(track) = self.tracks.get_mut(lane) {
            track.carried = track.carried.saturating_sub(1);
            if track.carried == 0 && track.turns.is_empty() && track.pace.per_second.is_none() {
                self.tracks.remove(lane);
            }
        }
    }

    /// When a lane that waits for its rate may go on.
    pub(super) fn next_chance(&self, now: Timestamp) -> Option<Timestamp> {
        let later = self.turns.iter().filter_map(|lane| self.tracks.get(lane)).map(|track| track.not_before);
        later.filter(|at| *at > now).min()
    }

    /// Everything that waits, given up, with its resource.
    pub(super) fn drain(&mut self) -> Vec<(usize, T)> {
        self.turns.clear();
        let mut all = Vec::new();
        for track in self.tracks.values_mut() {
            track.turns.clear();
            for (resource, items) in track.waiting.drain() {
                self.held[resource] = self.held[resource].saturating_sub(items.len());
                all.extend(items.into_iter().map(|item| (resource, item)));
            }
        }
        all
    }

    /// What waits of one kind and resource, given up, as when it was paused.
    pub(super) fn withdraw(&mut self, kind: Kind, resource: usize) -> Vec<T> {
        let mut all = Vec::new();
        for (lane, track) in self.tracks.iter_mut().filter(|(lane, _)| lane.kind == kind) {
            if let Some(items) = track.waiting.remove(&resource) {
                track.turns.retain(|one| *one != resource);
                self.held[resource] = self.held[resource].saturating_sub(items.len());
                all.extend(items);
            }
            if track.turns.is_empty() {
                self.turns.retain(|one| one != lane);
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);
    const FREE: Pace = Pace { at_once: 100, per_second: None };

    fn lane(destination: &str) -> Lane {
        Lane { cell: 0, kind: Kind::Mail, destination: destination.to_owned() }
    }

    fn order(lanes: &mut Lanes<u32>, count: usize) -> Vec<usize> {
        (0..count).filter_map(|_| lanes.next(NOW, |_, _| false)).map(|(_, resource, _)| resource).collect()
    }

    #[test]
    fn a_million_of_one_resource_does_not_delay_anothers_one() {
        let mut lanes = Lanes::new(2, 64);
        (0..10_000).for_each(|n| lanes.push(lane("a"), 0, FREE, n));
        lanes.push(lane("a"), 1, FREE, 7);
        assert_eq!(order(&mut lanes, 3), [0, 1, 0]);
        assert_eq!((lanes.held(0), lanes.held(1), lanes.carried), (10_000, 1, 3));
    }

    #[test]
    fn a_resource_with_many_destinations_leaves_half_of_the_node_to_others() {
        let mut lanes = Lanes::new(2, 10);
        (0..100).for_each(|n| lanes.push(lane(&format!("d{n}")), 0, FREE, n));
        assert_eq!(order(&mut lanes, 100).len(), 5, "half, with nobody else there");
        lanes.push(lane("x"), 1, FREE, 1);
        assert_eq!(order(&mut lanes, 100), [1]);
    }

    #[test]
    fn a_lane_carries_what_it_may_at_once_and_others_go_on() {
        let mut lanes = Lanes::new(1, 64);
        let narrow = Pace { at_once: 2, per_second: None };
        (0..5).for_each(|n| lanes.push(lane("slow"), 0, narrow, n));
        (10..13).for_each(|n| lanes.push(lane("quick"), 0, FREE, n));
        let mut taken: Vec<u32> =
            std::iter::from_fn(|| lanes.next(NOW, |_, _| false)).map(|(_, _, n)| n).collect();
        taken.sort_unstable();
        assert_eq!(taken, [0, 1, 10, 11, 12]);
        lanes.done(&lane("slow"), 0);
        assert_eq!(lanes.next(NOW, |_, _| false).map(|(_, _, n)| n), Some(2), "in the order they came");
        assert!(lanes.next(NOW, |_, _| false).is_none());
    }

    #[test]
    fn a_rate_spaces_what_goes_and_says_when_to_come_back() {
        let mut lanes = Lanes::new(1, 64);
        let pace = Pace { at_once: 10, per_second: Some(10) };
        (0..3).for_each(|n| lanes.push(lane("a"), 0, pace, n));
        assert!(lanes.next(NOW, |_, _| false).is_some());
        assert!(lanes.next(NOW, |_, _| false).is_none());
        assert_eq!(lanes.next_chance(NOW), Some(NOW.plus(Duration::from_millis(100))));
        let later = NOW.plus(Duration::from_millis(100));
        assert!(lanes.next(later, |_, _| false).is_some());
        assert!(lanes.next(later, |_, _| false).is_none());
        let much_later = NOW.plus(Duration::from_secs(60));
        assert!(lanes.next(much_later, |_, _| false).is_some());
        assert!(lanes.next(much_later, |_, _| false).is_none(), "nothing is left");
    }

    #[test]
    fn what_is_paused_waits_and_the_rest_goes() {
        let mut lanes = Lanes::new(2, 64);
        (0..3).for_each(|n| lanes.push(lane("a"), 0, FREE, n));
        lanes.push(lane("a"), 1, FREE, 9);
        let paused = |_: Kind, resource: usize| resource == 0;
        assert_eq!(lanes.next(NOW, paused).map(|(_, _, n)| n), Some(9));
        assert!(lanes.next(NOW, paused).is_none());
        assert_eq!(lanes.withdraw(Kind::Text, 0).len(), 0);
        assert_eq!(lanes.withdraw(Kind::Mail, 0), [0, 1, 2]);
        assert_eq!(lanes.held(0), 0);
        assert!(lanes.next(NOW, |_, _| false).is_none());
        lanes.push(lane("a"), 0, FREE, 4);
        assert_eq!(lanes.next(NOW, |_, _| false).map(|(_, _, n)| n), Some(4), "the lane still works");
    }

    #[test]
    fn what_waits_can_be_given_up() {
        let mut lanes = Lanes::new(2, 1);
        (0..3).for_each(|n| lanes.push(lane("a"), 0, FREE, n));
        (3..5).for_each(|n| lanes.push(lane("b"), 1, FREE, n));
        let (first, resource, _) = lanes.next(NOW, |_, _| false).unwrap();
        assert_eq!(lanes.drain().len(), 4);
        assert_eq!(lanes.held(resource), 1, "what is carried is still held");
        lanes.done(&first, resource);
        assert_eq!((lanes.held(0), lanes.held(1), lanes.carried), (0, 0, 0));
        assert!(lanes.tracks.values().all(|track| track.carried == 0));
    }

    #[test]
    fn lanes_that_are_empty_are_forgotten() {
        let mut lanes = Lanes::new(1, 8);
        for n in 0..1_000 {
            lanes.push(lane(&format!("d{n}")), 0, FREE, n);
            let (taken, resource, _) = lanes.next(NOW, |_, _| false).unwrap();
            lanes.done(&taken, resource);
        }
        assert!(lanes.tracks.is_empty() && lanes.turns.is_empty());
    }
}
