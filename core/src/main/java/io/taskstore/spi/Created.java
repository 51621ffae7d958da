// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

/**
 * The record was created, or had been created by an earlier sending of the same call.
 *
 * @param version the record's version: 1
 */
public record Created(long version) implements CreateResult {}
