// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

/**
 * The record was written.
 *
 * @param version the record's new version, one more than the expected one
 */
public record Written(long version) implements PutResult {}
