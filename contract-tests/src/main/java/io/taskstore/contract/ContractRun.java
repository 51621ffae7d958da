// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.platform.commons.annotation.Testable;
import org.junit.platform.commons.support.AnnotationSupport;

/** What happened to the tests of one contract class in one run. Safe for several threads. */
final class ContractRun {
  /** How a test ended. */
  enum Outcome {
    PASSED,
    FAILED,
    /** It failed, as the file of known failures says. */
    KNOWN_FAILURE,
    /** It makes no sense for this backend or harness. */
    EXCLUDED
  }

  /**
   * How one test, or one invocation of a parameterised one, ended.
   *
   * @param reason why it did not pass
   */
  record Result(String method, String name, Outcome outcome, @Nullable String reason) {}

  /** How a statement ended, all its tests taken together. */
  enum Status {
    PASSED("passed"),
    FAILED("failed"),
    KNOWN_FAILURE("known failure"),
    EXCLUDED("excluded"),
    NOT_RUN("not run");

    private final String title;

    Status(String title) {
      this.title = title;
    }

    String title() {
      return title;
    }
  }

  /**
   * How a statement ended.
   *
   * @param reasons why it failed, or why it or a part of it was excluded; without repetitions
   * @param tests how many tests of it ran
   */
  record StatementResult(
      Statements.Statement statement, Status status, List<String> reasons, int tests) {}

  private final Class<?> contract;
  private final Statements statements;
  private final KnownFailures knownFailures;
  private final List<Result> results = Collections.synchronizedList(new ArrayList<>());

  private final List<String> skips = Collections.synchronizedList(new ArrayList<>());

  ContractRun(Class<?> contract, Statements statements, KnownFailures knownFailures) {
    this.contract = contract;
    this.statements = statements;
    this.knownFailures = knownFailures;
  }

  Class<?> contract() {
    return contract;
  }

  void add(Result result) {
    results.add(result);
  }

  /** Adds a test that was skipped in a way that the contract does not know: the run has failed. */
  void addSkipped(String method, String name, String reason) {
    add(new Result(method, name, Outcome.FAILED, reason));
    skips.add("the test " + method + " was " + reason);
  }

  private List<String> skips() {
    synchronized (skips) {
      return List.copyOf(skips);
    }
  }

  /** The results so far. */
  List<Result> results() {
    synchronized (results) {
      return List.copyOf(results);
    }
  }

  /** The reason for which a test is expected to fail, if one of its statements is. */
  @Nullable String knownFailure(String method) {
    for (StatementId id : StatementId.ofTest(method)) {
      String reason = knownFailures.reasons().get(id);
      if (reason != null) {
        return id + ", " + reason;
      }
    }
    return null;
  }

  /** How the statements of this contract ended. */
  SortedMap<StatementId, StatementResult> byStatement() {
    SortedMap<StatementId, List<Result>> found = new TreeMap<>();
    for (Result result : results()) {
      for (StatementId id : StatementId.ofTest(result.method())) {
        found.computeIfAbsent(id, i -> new ArrayList<>()).add(result);
      }
    }
    Set<StatementId> covered = idsOf(testMethods(contract));
    SortedMap<StatementId, StatementResult> all = new TreeMap<>();
    for (Statements.Statement statement : statements.byId().values()) {
      StatementId id = statement.id();
      boolean isExcludedHere = statement.excluded() != null && belongsTo(contract, id);
      if (covered.contains(id) || isExcludedHere) {
        all.put(id, summary(statement, found.getOrDefault(id, List.of())));
      }
    }
    return all;
  }

  /**
   * What is wrong with the run as a whole: tests that were skipped or not run, too few of them
   * executed, stale entries in the file of known failures.
   *
   * @param closingTest the test that asks this, which has no result yet
   */
  List<String> problems(int minimum, String closingTest) {
    List<String> problems = new ArrayList<>(skips());
    Set<String> ran = new LinkedHashSet<>();
    for (Result result : results()) {
      ran.add(result.method());
    }
    for (Method test : testMethods(contract)) {
      boolean isInEveryBuild = !AnnotationSupport.isAnnotated(test, Tag.class);
      if (isInEveryBuild && !test.getName().equals(closingTest) && !ran.contains(test.getName())) {
        problems.add("the test " + test.getName() + " was neither executed nor excluded");
      }
    }
    Map<StatementId, StatementResult> byStatement = byStatement();
    long executed =
        byStatement.values().stream()
            .filter(
                result -> result.status() != Status.EXCLUDED && result.status() != Status.NOT_RUN)
            .count();
    if (executed < minimum) {
      problems.add("%d statements were executed, the minimum is %d".formatted(executed, minimum));
    }
    knownFailures
        .reasons()
        .forEach(
            (id, reason) -> {
              StatementResult result = byStatement.get(id);
              if (result == null) {
                // It may stand in the list for the other contract.
                if (!statements.byId().containsKey(id)) {
                  problems.add("the known failure " + id + " is no statement");
                }
              } else if (result.status() != Status.KNOWN_FAILURE) {
                problems.add(
                    ("the known failure %s is stale, its status is: %s; remove it from %s, and any"
                            + " old copy of that file from target")
                        .formatted(id, result.status().title(), knownFailures.file()));
              }
            });
    return problems;
  }

  /** The test methods of a contract class, inherited ones included. */
  static List<Method> testMethods(Class<?> contract) {
    Map<String, Method> found = new LinkedHashMap<>();
    for (Class<?> type = contract; type != null; type = type.getSuperclass()) {
      for (Method method : type.getDeclaredMethods()) {
        if (AnnotationSupport.isAnnotated(method, Testable.class)) {
          found.putIfAbsent(method.getName(), method);
        }
      }
    }
    return List.copyOf(found.values());
  }

  /** The statements that the names of the tests say they cover. */
  static Set<StatementId> idsOf(Collection<Method> tests) {
    Set<StatementId> ids = new LinkedHashSet<>();
    for (Method test : tests) {
      ids.addAll(StatementId.ofTest(test.getName()));
    }
    return ids;
  }

  /** Whether a statement that no test covers is reported with this contract. */
  private static boolean belongsTo(Class<?> contract, StatementId id) {
    return (contract == TaskStoreContract.class) == (id.chapter() == 'S');
  }

  private static StatementResult summary(Statements.Statement statement, List<Result> tests) {
    Set<String> reasons = new LinkedHashSet<>();
    Set<Outcome> outcomes = new LinkedHashSet<>();
    for (Result test : tests) {
      outcomes.add(test.outcome());
      if (test.reason() != null) {
        reasons.add(test.reason());
      }
    }
    Status status;
    if (outcomes.contains(Outcome.FAILED)) {
      status = Status.FAILED;
    } else if (outcomes.contains(Outcome.KNOWN_FAILURE)) {
      status = Status.KNOWN_FAILURE;
    } else if (outcomes.contains(Outcome.PASSED)) {
      status = Status.PASSED;
    } else if (outcomes.contains(Outcome.EXCLUDED)) {
      status = Status.EXCLUDED;
    } else if (statement.excluded() != null) {
      status = Status.EXCLUDED;
      reasons.add(statement.excluded());
    } else {
      status = Status.NOT_RUN;
    }
    return new StatementResult(statement, status, List.copyOf(reasons), tests.size());
  }
}
