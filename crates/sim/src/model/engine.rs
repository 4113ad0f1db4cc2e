//! The scheduler: which sequences compute what in the next iteration, and what they have to show at its end.
//!
//! Does not decide when an iteration begins: a driver calls [`Engine::begin`] and [`Engine::finish`] in turn.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crestline_core::units::Nanos;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::blocks::{BlockPool, Held, PrefixCaching};
use super::exchange::{Admission, Counters, DraftCounters, EngineRequest, Gauges, Progress};
use super::pace::{Batch, Pace, stream};
use crate::profile::{KvPolicy, Profile, Speculative};

/// The simulated engine.
#[derive(Debug, Clone)]
pub struct Engine {
    limits: Limits,
    pace: Pace,
    drafts: Option<Drafts>,
    blocks: BlockPool,
    sequences: Vec<Sequence>,
    vacant: Vec<u32>,
    by_id: HashMap<u64, u32>,
    waiting: VecDeque<u32>,
    waiting_count: u32,
    running: Vec<u32>,
    /// The iteration under way.
    iteration: Option<Planned>,
    counters: Counters,
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    max_num_seqs: usize,
    max_num_batched_tokens: u32,
    max_model_len: u32,
    /// Most requests at a time, running or waiting.
    present: usize,
    block_size: u32,
    policy: KvPolicy,
}

#[derive(Debug, Clone, Copy)]
struct Planned {
    start: Nanos,
    budget: u32,
    /// No more sequences fit in, whatever comes.
    closed: bool,
}

#[derive(Debug, Clone)]
struct Drafts {
    tokens: u32,
    acceptance: f64,
    rng: ChaCha8Rng,
    counters: DraftCounters,
}

#[derive(Debug, Clone)]
struct Sequence {
    id: u64,
    prompt: u32,
    output: u32,
    /// Tokens whose keys and values are in the cache.
    computed: u32,
    /// Tokens of the answer so far.
    emitted: u32,
    /// Tokens that the iteration under way computes.
    scheduled: u32,
    cached: u32,
    /// Blocks from the beginning that were offered to the prefix cache or came from it.
    published: u32,
    held: Held,
    hashes: Option<Arc<[u64]>>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    /// Aborted; still listed in `waiting` or `running`.
    Gone,
}

impl Sequence {
    /// Tokens known but not computed. A decode step has exactly one.
    fn remaining(&self) -> u32 {
        self.prompt + self.emitted - self.computed
    }

    fn decodes(&self) -> bool {
        self.emitted > 0 && self.remaining() == 1
    }
}

impl Engine {
    /// An idle engine. The profile must pass [`Profile::check`]. Everything random follows from `seed`.
    pub fn new(profile: &Profile, seed: u64) -> Self {
        let caching = if profile.kv_cache.prefix_caching {
            PrefixCaching::On
        } else {
            PrefixCaching::Off
        };
        Self {
            limits: Limits {
                max_num_seqs: profile.max_num_seqs as usize,
                max_num_batched_tokens: profile.max_num_batched_tokens,
                max_model_len: profile.max_model_len,
                present: profile.queue_limit.map_or(usize::MAX, |queue| {
                    profile.max_num_seqs as usize + queue as usize
                }),
                block_size: profile.kv_cache.block_size,
                policy: profile.kv_cache.policy,
            },
            pace: Pace::new(profile, seed),
            drafts: profile
                .speculative
                .as_ref()
                .map(|given| Drafts::new(given, seed)),
            blocks: BlockPool::new(profile.kv_cache.blocks(), caching),
            sequences: Vec::new(),
            vacant: Vec::new(),
            by_id: HashMap::new(),
            waiting: VecDeque::new(),
            waiting_count: 0,
            running: Vec::new(),
            iteration: None,
            counters: Counters::default(),
        }
    }

    /// Puts a request at the end of the queue. `id` must not be in use.
    pub fn submit(&mut self, id: u64, request: EngineRequest) -> Admission {
        let (prompt, output) = (request.prompt_tokens.max(1), request.output_tokens.max(1));
        let total = prompt.saturating_add(output);
        if total > self.limits.max_model_len || self.blocks_for(total - 1) > self.blocks.capacity()
        {
            return Admission::TooLong;
        }
        if self.by_id.len() >= self.limits.present {
            return Admission::QueueFull;
        }
        let sequence = Sequence {
            id,
            prompt,
            output,
            computed: 0,
            emitted: 0,
            scheduled: 0,
            cached: 0,
            published: 0,
            held: Held::default(),
            hashes: request.hashes,
            state: State::Waiting,
        };
        let slot = if let Some(slot) = self.vacant.pop() {
            self.sequences[slot as usize] = sequence;
            slot
        } else {
            self.sequences.push(sequence);
            (self.sequences.len() - 1) as u32
        };
        let before = self.by_id.insert(id, slot);
        assert!(before.is_none(), "request id {id} is in use");
        self.waiting.push_back(slot);
        self.waiting_count += 1;
        Admission::Queued
    }

    /// Takes a request out at once and frees its blocks; the iteration under way takes as long as planned.
    /// Says whether the request was there.
    pub fn abort(&mut self, id: u64) -> bool {
        let Some(slot) = self.by_id.remove(&id) else {
            return false;
        };
        let sequence = &mut self.sequences[slot as usize];
        if sequence.state == State::Waiting {
            self.waiting_count -= 1;
        }
        sequence.state = State::Gone;
        sequence.scheduled = 0;
        self.blocks.release(&mut sequence.held);
        true
    }

    /// Whether any request is unfinished.
    pub fn has_work(&self) -> bool {
        !self.by_id.is_empty()
    }

    /// Begins an iteration and returns when it ends; `None` where there is nothing to do.
    ///
    /// # Panics
    /// If the last iteration was not finished.
    pub fn begin(&mut self, start: Nanos) -> Option<Nanos> {
        assert!(self.iteration.is_none(), "an iteration is under way");
        self.drop_aborted();
        if !self.has_work() {
            return None;
        }
        self.pace.begin(start);
        let mut planned = Planned {
            start,
            budget: self.limits.max_num_batched_tokens,
            closed: false,
        };
        let preempted = self.plan_decodes(&mut planned.budget);
        let stuck = self.plan_prefills(&mut planned.budget);
        planned.closed = preempted || stuck;
        if !planned.closed {
            self.admit(&mut planned);
        }
        self.iteration = Some(planned);
        Some(start + self.pace.duration(self.batch()))
    }

    /// Lets requests that were submitted since [`Engine::begin`] join the iteration, as if they had come just before.
    /// Returns its new end; `None` where no iteration is under way.
    pub fn join(&mut self) -> Option<Nanos> {
        let mut planned = self.iteration.take()?;
        if !planned.closed {
            self.admit(&mut planned);
        }
        self.iteration = Some(planned);
        Some(planned.start + self.pace.duration(self.batch()))
    }

    /// Ends the iteration under way and appends what it has produced, in the order of the batch.
    pub fn finish(&mut self, out: &mut Vec<Progress>) {
        if self.iteration.take().is_none() {
            return;
        }
        self.counters.iterations += 1;
        let mut running = std::mem::take(&mut self.running);
        running.retain(|&slot| {
            if let Some(progress) = self.advance(slot) {
                out.push(progress);
            }
            let stays = self.sequences[slot as usize].state == State::Running;
            if !stays {
                self.vacant.push(slot);
            }
            stays
        });
        self.running = running;
    }

    /// Forgets all cached prefixes that no sequence uses.
    pub fn reset_prefix_cache(&mut self) {
        self.blocks.forget();
    }

    /// The state now.
    pub fn gauges(&self) -> Gauges {
        let gone = |slot: &&u32| self.sequences[**slot as usize].state == State::Running;
        Gauges {
            running: self.running.iter().filter(gone).count() as u32,
            waiting: self.waiting_count,
            kv_usage: self.blocks.usage(),
        }
    }

    /// Totals since the start.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Totals of speculative decoding; `None` where there is none.
    pub fn draft_counters(&self) -> Option<&DraftCounters> {
        self.drafts.as_ref().map(|drafts| &drafts.counters)
    }

    fn blocks_for(&self, tokens: u32) -> u64 {
        u64::from(tokens.div_ceil(self.limits.block_size))
    }

    /// Forgets aborted sequences of the batch.
    fn drop_aborted(&mut self) {
        let (sequences, vacant) = (&self.sequences, &mut self.vacant);
        self.running.retain(|&slot| {
            let stays = sequences[slot as usize].state == State::Running;
            if !stays {
                vacant.push(slot);
            }
            stays
        });
    }

    /// Gives each decoding sequence its step, taking blocks from the youngest where there are none.
    /// Says whether any was preempted.
    fn plan_decodes(&mut self, budget: &mut u32) -> bool {
        let width = self.drafts.as_ref().map_or(1, |drafts| 1 + drafts.tokens);
        let before = self.counters.preemptions;
        let mut index = 0;
        while index < self.running.len() {
            let slot = self.running[index];
            let sequence = &self.sequences[slot as usize];
            index += 1;
            if !sequence.decodes() {
                continue;
            }
            let step = width.min(sequence.output - sequence.emitted);
            if step <= *budget && self.make_room(slot, sequence.computed + step) {
                self.sequences[slot as usize].scheduled = step;
                *budget -= step;
            }
        }
        self.counters.preemptions > before
    }

    /// Gives each half-prefilled sequence its next chunk. Says whether one could not go on for want of blocks.
    fn plan_prefills(&mut self, budget: &mut u32) -> bool {
        let before = self.counters.preemptions;
        let mut index = 0;
        while index < self.running.len() && *budget > 0 {
            let slot = self.running[index];
            let sequence = &self.sequences[slot as usize];
            index += 1;
            if sequence.decodes() || sequence.scheduled > 0 {
                continue;
            }
            let chunk = sequence.remaining().min(*budget);
            if self.make_room(slot, sequence.computed + chunk) {
                self.sequences[slot as usize].scheduled = chunk;
                *budget -= chunk;
            }
        }
        self.counters.preemptions > before
    }

    /// Takes blocks for the first `tokens` of a running sequence, preempting from the end of the batch.
    /// Says no when the sequence itself was the last.
    fn make_room(&mut self, slot: u32, tokens: u32) -> bool {
        let blocks = tokens.div_ceil(self.limits.block_size);
        loop {
            let sequence = &mut self.sequences[slot as usize];
            if self.blocks.grow(&mut sequence.held, blocks) {
                return true;
            }
            let last = self.preempt_last();
            if last == slot {
                return false;
            }
        }
    }

    /// Takes the blocks of the sequence that came last and puts it at the head of the queue.
    fn preempt_last(&mut self) -> u32 {
        let slot = self
            .running
            .pop()
            .expect("a running sequence asks for room");
        let sequence = &mut self.sequences[slot as usize];
        self.blocks.release(&mut sequence.held);
        sequence.computed = 0;
        sequence.scheduled = 0;
        sequence.published = 0;
        sequence.state = State::Waiting;
        self.waiting.push_front(slot);
        self.waiting_count += 1;
        self.counters.preemptions += 1;
        slot
    }

    /// Starts waiting sequences in turn while sequences, budget and blocks last.
    fn admit(&mut self, planned: &mut Planned) {
        while self.running.len() < self.limits.max_num_seqs && planned.budget > 0 {
            let Some(&slot) = self.waiting.front() else {
                return;
            };
            if self.sequences[slot as usize].state == State::Gone {
                self.waiting.pop_front();
                self.vacant.push(slot);
                continue;
            }
            if !self.start(slot, &mut planned.budget) {
                planned.closed = true;
                return;
            }
            self.waiting.pop_front();
            self.waiting_count -= 1;
            self.running.push(slot);
        }
    }

    /// Gives a waiting sequence its first chunk, or nothing where the blocks are missing.
    fn start(&mut self, slot: u32, budget: &mut u32) -> bool {
        let block_size = self.limits.block_size;
        let sequence = &mut self.sequences[slot as usize];
        let known = sequence.prompt + sequence.emitted;
        let mut reused = 0;
        if let Some(hashes) = &sequence.hashes {
            // One token at least is computed: the last one's result is the next token.
            let usable = hashes.len().min(((known - 1) / block_size) as usize);
            reused = self.blocks.reuse(&mut sequence.held, &hashes[..usable]);
        }
        let computed = reused * block_size;
        let chunk = (known - computed).min(*budget);
        let tokens = match self.limits.policy {
            KvPolicy::Recompute => computed + chunk,
            KvPolicy::Reserve => sequence.prompt + sequence.output - 1,
        };
        if !self
            .blocks
            .grow(&mut sequence.held, tokens.div_ceil(block_size))
        {
            self.blocks.release(&mut sequence.held);
            return false;
        }
        if sequence.hashes.is_some() && sequence.emitted == 0 {
            self.counters.prefix_queries += u64::from(sequence.prompt);
            self.counters.prefix_hits += u64::from(computed);
            sequence.cached = computed;
        }
        sequence.computed = computed;
        sequence.published = reused;
        sequence.scheduled = chunk;
        sequence.state = State::Running;
        *budget -= chunk;
        true
    }

    /// What the planned iteration computes.
    fn batch(&self) -> Batch {
        let mut batch = Batch::default();
        for &slot in &self.running {
            let sequence = &self.sequences[slot as usize];
            if sequence.scheduled == 0 {
                continue;
            }
            batch.sequences += 1;
            if sequence.decodes() {
                batch.decoding += 1;
                batch.kv_tokens += u64::from(sequence.computed);
            } else {
                batch.prefill_tokens += u64::from(sequence.scheduled);
            }
        }
        batch
    }

    /// Takes one sequence over the end of the iteration.
    fn advance(&mut self, slot: u32) -> Option<Progress> {
        let sequence = &mut self.sequences[slot as usize];
        if sequence.scheduled == 0 {
            return None;
        }
        let scheduled = std::mem::take(&mut sequence.scheduled);
        let tokens = if sequence.decodes() {
            let accepted = self
                .drafts
                .as_mut()
                .map_or(0, |drafts| drafts.accepted(scheduled - 1));
            sequence.computed += 1 + accepted;
            1 + accepted
        } else {
            sequence.computed += scheduled;
            if sequence.remaining() > 0 {
                self.publish(slot);
                return None;
            }
            if sequence.emitted == 0 {
                self.counters.prompt_tokens += u64::from(sequence.prompt);
            }
            1
        };
        sequence.emitted += tokens;
        self.counters.generation_tokens += u64::from(tokens);
        let progress = Progress {
            id: sequence.id,
            tokens,
            finished: sequence.emitted == sequence.output,
            cached_tokens: sequence.cached,
        };
        self.publish(slot);
        if progress.finished {
            self.by_id.remove(&progress.id);
            let sequence = &mut self.sequences[slot as usize];
            sequence.state = State::Gone;
            sequence.hashes = None;
            self.blocks.release(&mut sequence.held);
        }
        Some(progress)
    }

    /// Offers the blocks that have become full to the prefix cache.
    fn publish(&mut self, slot: u32) {
        let sequence = &mut self.sequences[slot as usize];
        let Some(hashes) = &sequence.hashes else {
            return;
        };
        let full = (sequence.computed / self.limits.block_size).min(hashes.len() as u32);
        while sequence.published < full {
            self.blocks
                .publish(&mut sequence.held, hashes[sequence.published as usize]);
            sequence.published += 1;
        }
    }
}

impl Drafts {
    fn new(given: &Speculative, seed: u64) -> Self {
        Self {
            tokens: given.draft_tokens,
            acceptance: given.acceptance,
            rng: stream(seed, 3),
            counters: DraftCounters {
                accepted: vec![0; given.draft_tokens as usize],
                ..DraftCounters::default()
            },
        }
    }

    /// Drafts accepted before the first miss, at most `drafts`.
    fn accepted(&mut self, drafts: u32) -> u32 {
        let mut accepted = 0;
        while accepted < drafts && self.rng.random_bool(self.acceptance) {
            accepted += 1;
        }
        if drafts > 0 {
            self.counters.drafts += 1;
            self.counters.draft_tokens += u64::from(drafts);
            self.counters.accepted[..accepted as usize]
                .iter_mut()
                .for_each(|place| *place += 1);
        }
        accepted
    }
}

#[cfg(test)]
mod tests;
