// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * To whom tasks belong. An owner sees, lists, counts and changes its own tasks and nobody else's.
 *
 * <p>There are four kinds, which never meet: the subject "a", the client "a" and the session "a"
 * are three owners. Owners are equal if kind and value are, exactly: case matters, and no Unicode
 * normalization is applied.
 */
public final class Owner {
  /** The longest value, in UTF-8 bytes. */
  public static final int MAX_BYTES = 1_000;

  /** Which kind of identity an owner stands for. */
  public enum Kind {
    /** An authenticated user or service, such as the {@code sub} of a token. */
    SUBJECT('s'),
    /** A registered client, such as an OAuth {@code client_id}. */
    CLIENT('c'),
    /** One session of an unauthenticated caller. */
    SESSION('e'),
    /** Whoever runs the program, where there is only one: {@link Owner#local()}. */
    LOCAL('l');

    private final char letter;

    Kind(char letter) {
      this.letter = letter;
    }
  }

  private static final Owner LOCAL = new Owner(Kind.LOCAL, "");

  private final Kind kind;
  private final String value;
  private final String storedForm;

  private Owner(Kind kind, String value) {
    this.kind = kind;
    this.value = value;
    this.storedForm = kind.letter + ":" + value;
  }

  /**
   * Returns the owner for an authenticated user or service.
   *
   * @throws InvalidValueException if {@code subject} is blank or not well-formed Unicode
   * @throws LimitExceededException if it is longer than {@value #MAX_BYTES} bytes
   */
  public static Owner subject(String subject) {
    return new Owner(Kind.SUBJECT, check("subject", subject));
  }

  /**
   * Returns the owner for a registered client.
   *
   * @throws InvalidValueException if {@code client} is blank or not well-formed Unicode
   * @throws LimitExceededException if it is longer than {@value #MAX_BYTES} bytes
   */
  public static Owner client(String client) {
    return new Owner(Kind.CLIENT, check("client", client));
  }

  /**
   * Returns the owner for one session.
   *
   * @throws InvalidValueException if {@code session} is blank or not well-formed Unicode
   * @throws LimitExceededException if it is longer than {@value #MAX_BYTES} bytes
   */
  public static Owner session(String session) {
    return new Owner(Kind.SESSION, check("session", session));
  }

  /**
   * Returns the owner of a program that only one person uses, such as a server on standard input
   * and output. A store refuses it unless it was built with {@link
   * GenericTaskStore.Builder#allowLocalOwner}: on a server with many users a missing identity must
   * not turn into a common one.
   */
  public static Owner local() {
    return LOCAL;
  }

  /**
   * Returns the owner for the strongest identity that is known: subject, then client, then session.
   * What is null is skipped; if all are null the owner is {@link #local()}. A blank identity is a
   * mistake somewhere, and is refused rather than skipped.
   *
   * @throws InvalidValueException if any of them is blank or not well-formed Unicode
   * @throws LimitExceededException if any of them is longer than {@value #MAX_BYTES} bytes
   */
  public static Owner resolve(
      @Nullable String subject, @Nullable String client, @Nullable String session) {
    Owner bySubject = subject == null ? null : subject(subject);
    Owner byClient = client == null ? null : client(client);
    Owner bySession = session == null ? null : session(session);
    if (bySubject != null) {
      return bySubject;
    }
    if (byClient != null) {
      return byClient;
    }
    return bySession != null ? bySession : LOCAL;
  }

  private static String check(String what, String value) {
    Objects.requireNonNull(value, what);
    String name = "owner " + what;
    if (value.isBlank()) {
      throw new InvalidValueException(name, "it is blank; leave it out (null) if it is not known");
    }
    Text.checkLength(name, value, "Owner.MAX_BYTES", MAX_BYTES);
    return value;
  }

  /** The kind. */
  public Kind kind() {
    return kind;
  }

  /** The identity; empty for {@link #local()}. It is personal data: do not log it. */
  public String value() {
    return value;
  }

  /** The text that stands for this owner in storage. The letter keeps the kinds apart. */
  String storedForm() {
    return storedForm;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Owner that && kind == that.kind && value.equals(that.value);
  }

  @Override
  public int hashCode() {
    return 31 * kind.letter + value.hashCode();
  }

  /** Shows the kind, never the value. */
  @Override
  public String toString() {
    return "Owner[" + kind + "]";
  }
}
