// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

/** The store does not serve {@link Owner#local()}, and the caller has no other identity. */
public final class OwnerNotAllowedException extends TaskStoreException {
  private static final long serialVersionUID = 1L;

  OwnerNotAllowedException() {
    super(
        "Owner.local() is not allowed by this store: identify the caller, or build the store with"
            + " allowLocalOwner(true) if it serves one person only",
        null);
  }
}
