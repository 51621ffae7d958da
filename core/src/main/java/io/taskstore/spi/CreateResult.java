// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

/**
 * The answer to {@link StorageBackend#createWithin}: the record was {@link Created}; the partition
 * is {@link Full}; too many others were creating at the same time, {@link Contended}; or the key is
 * taken, {@link Conflict}.
 */
public sealed interface CreateResult permits Created, Full, Contended, Conflict {}
