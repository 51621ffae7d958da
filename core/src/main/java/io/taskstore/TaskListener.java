// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

/**
 * Hears what happens to tasks through one store: for metrics, an audit log, or to wake somebody up.
 * What other stores write to the same storage is heard by their own listeners.
 *
 * <p>Each listener is called by one thread of its own, one event at a time, soon after the event
 * and never before the write it tells of was acknowledged. Events about one task come in the order
 * of its versions. A listener that is slow or throws delays and harms nobody else; events that it
 * is too slow for are dropped beyond ten thousand waiting ones, which {@link TaskEvent.Dropped}
 * tells. What it throws is logged.
 *
 * <p>For every write that the store knows to have succeeded there is exactly one event, but for the
 * renewal of a lease, which is silent. For a write whose outcome stays unknown there is none but
 * {@link TaskEvent.OutcomeUnknown}. A crash of the process loses what was not told yet.
 */
@FunctionalInterface
public interface TaskListener {
  /** Hears of an event. */
  void onEvent(TaskEvent event);
}
