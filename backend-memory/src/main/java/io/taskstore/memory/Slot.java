// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

/**
 * The place of a record, from its creation until it is deleted. Indexes lead to places, so a change
 * of the record need not touch those whose order it does not change.
 */
final class Slot {
  private volatile Content content;

  /** The place of a record that is not there yet. */
  Slot(Content absent) {
    this.content = absent;
  }

  Content content() {
    return content;
  }

  /** Changes what is stored, at this instant. */
  void set(Content next) {
    content = next;
  }
}
