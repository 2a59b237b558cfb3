//! What a request asks: a call of its dialect, with what the dialect needs back to read the answer.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::model::Topic;

/// The calls of one dialect: usually an enum. Equal calls for the same topic are made once.
pub trait DialectCall: fmt::Debug + Eq + Hash + Send + Sync + 'static {
    /// The call's name in messages (`job`, `list`, `logs`).
    fn name(&self) -> &'static str;
}

/// A call of any dialect. Only the dialect that made it looks inside.
#[derive(Clone)]
pub struct Call(Arc<dyn AnyCall>);

/// What a [`FetchRequest`](super::FetchRequest) asks, so that its answer can be read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ask {
    /// The topic on whose behalf it is asked; `None` for actions and tests.
    pub topic: Option<Topic>,
    /// The call.
    pub call: Call,
}

impl Ask {
    /// A call on behalf of a topic.
    pub fn new(topic: Option<&Topic>, call: impl DialectCall) -> Ask {
        Ask { topic: topic.cloned(), call: Call(Arc::new(call)) }
    }

    /// The call's name in messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.call.0.name()
    }

    /// The call as the dialect made it; `None` where another dialect did.
    #[must_use]
    pub fn of<C: DialectCall>(&self) -> Option<&C> {
        self.call.0.as_any().downcast_ref()
    }
}

/// [`DialectCall`] without its type.
trait AnyCall: fmt::Debug + Send + Sync {
    fn name(&self) -> &'static str;
    fn as_any(&self) -> &dyn Any;
    fn equals(&self, other: &dyn AnyCall) -> bool;
    fn hash_into(&self, hasher: &mut dyn Hasher);
}

impl<C: DialectCall> AnyCall for C {
    fn name(&self) -> &'static str {
        DialectCall::name(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn equals(&self, other: &dyn AnyCall) -> bool {
        other.as_any().downcast_ref() == Some(self)
    }

    fn hash_into(&self, mut hasher: &mut dyn Hasher) {
        self.hash(&mut hasher);
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialEq for Call {
    fn eq(&self, other: &Call) -> bool {
        self.0.equals(&*other.0)
    }
}

impl Eq for Call {}

impl Hash for Call {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash_into(state);
    }
}

/// A call that needs nothing back.
impl DialectCall for &'static str {
    fn name(&self) -> &'static str {
        self
    }
}
