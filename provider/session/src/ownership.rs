//! Ownership in one meaning for every resource: whose what stands in the place of an object is ([`claim`]), and what is said
//! where it is not ours ([`Refusal`]).
//!
//! | what is there | create | create with `adopt` | update |
//! | --- | --- | --- | --- |
//! | nothing | made | made | made |
//! | left by a create that did not finish | gone on with | gone on with | – |
//! | of the same resource, complete | refused: it is in another state | the same | kept |
//! | of another resource | refused | refused | refused |
//! | of nobody, or of a tool that is not this provider | refused | taken over | refused, unless `adopt` or an import says so |
//! | ours by the state, without its mark | – | – | taken back where this very object was applied by us, else refused |
//! | part of a Helm release, or made by a controller | refused | refused | refused |
//!
//! What is done by right of it, and the proofs that deleting and giving back ask for, is in `ffe_cluster::standing`.

mod claim;
mod refusal;

pub use claim::{Candidate, Terms, claim};
pub use refusal::{Advice, Refusal, refuse_foreign, release_of};
