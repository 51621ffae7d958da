// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The program behind {@code benchmarks/run}. */
final class Benchmarks {
  private static final String ALL = "all";
  private static final String PLOTS = "plots";
  private static final String QUICK = "--quick";
  private static final String DIRECTORY = "--directory";
  private static final String WITHOUT_MILLION = "--without-million";

  private final PrintStream out;
  private final PrintStream err;
  private final Path docs;

  /**
   * @param docs the folder of the documents
   */
  Benchmarks(PrintStream out, PrintStream err, Path docs) {
    this.out = out;
    this.err = err;
    this.docs = docs;
  }

  public static void main(String[] args) {
    Path root = Path.of(System.getProperty("taskstore.benchmarks.root", ""));
    Path docs = root.resolve("docs");
    // Not the default encoding, which is the locale's before Java 18.
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    PrintStream err = new PrintStream(System.err, true, StandardCharsets.UTF_8);
    System.exit(new Benchmarks(out, err, docs).run(List.of(args)));
  }

  /** Returns the exit code: 0 done, 1 failed, 2 wrong usage. */
  int run(List<String> args) {
    if (args.contains("--help") || args.contains("-h")) {
      out.print(help());
      return 0;
    }
    List<String> names = new ArrayList<>(args);
    boolean quick = names.removeIf(QUICK::equals);
    boolean million = !names.removeIf(WITHOUT_MILLION::equals);
    Path directory = Path.of(System.getProperty("java.io.tmpdir"));
    int at = names.indexOf(DIRECTORY);
    if (at >= 0) {
      names.remove(at);
      if (at == names.size()) {
        return wrongUsage(DIRECTORY + " needs a directory");
      }
      directory = Path.of(names.remove(at));
      if (!Files.isDirectory(directory)) {
        return wrongUsage("there is no directory " + directory);
      }
    }
    Optional<String> unknownOption = names.stream().filter(n -> n.startsWith("-")).findFirst();
    if (unknownOption.isPresent()) {
      return wrongUsage("there is no option " + unknownOption.get());
    }
    if (names.size() != 1) {
      return wrongUsage("name one suite: " + knownNames());
    }
    if (names.get(0).equals(PLOTS)) {
      return drawAll();
    }
    List<Suite> suites = suites(names.get(0));
    if (suites.isEmpty()) {
      return wrongUsage("there is no suite " + names.get(0) + ", only " + knownNames());
    }
    try {
      if (!quick) {
        // Minutes later would be too late to find out.
        for (Suite suite : suites) {
          for (String document : suite.documents()) {
            inserted(document, suite, "");
          }
        }
      }
      Suite.Options options = new Suite.Options(quick, directory, million, out);
      for (Suite suite : suites) {
        run(suite, options);
      }
      return 0;
    } catch (IOException e) {
      return failed(String.valueOf(e.getMessage()));
    } catch (Report.ReportException e) {
      return failed(String.valueOf(e.getMessage()));
    } catch (Suite.MeasurementException e) {
      return failed("the measurement has failed, more may stand above: " + e.getMessage());
    }
  }

  private void run(Suite suite, Suite.Options options) throws IOException {
    String table = suite.measure(options);
    out.println();
    out.print(table);
    out.println();
    if (options.quick()) {
      out.println("Figures of a quick run mean little, and are not written anywhere.");
      return;
    }
    for (String document : suite.documents()) {
      // Read again: somebody may have edited it in the meantime.
      String text = inserted(document, suite, table);
      try {
        Files.writeString(docs.resolve(document), text);
      } catch (IOException e) {
        throw new IOException("docs/" + document + " cannot be written: " + e, e);
      }
      out.println("Written to docs/" + document + ".");
    }
    draw(suite, table);
  }

  /** Draws what is said to grow, a picture for each table of sizes. */
  private void draw(Suite suite, String text) throws IOException {
    List<Growth> growths = Growth.in(text);
    for (int i = 0; i < growths.size(); i++) {
      String name = "plots/%s-%d.svg".formatted(suite.name(), i + 1);
      Path file = docs.resolve(name);
      try {
        Files.createDirectories(file.getParent());
        Files.writeString(file, growths.get(i).svg());
      } catch (IOException e) {
        throw new IOException("docs/" + name + " cannot be written: " + e, e);
      }
      out.println("Drawn: docs/" + name + ".");
    }
  }

  /** Draws all tables again as they stand in the documents; measures nothing. */
  private int drawAll() {
    try {
      for (Suite suite : Suites.ALL) {
        for (String document : suite.documents()) {
          draw(suite, Report.extract(read(document), suite.name()));
        }
      }
      return 0;
    } catch (IOException e) {
      return failed(String.valueOf(e.getMessage()));
    } catch (Report.ReportException e) {
      return failed(String.valueOf(e.getMessage()));
    }
  }

  /** Returns a document with the text of a suite in its place. */
  private String inserted(String document, Suite suite, String text) throws IOException {
    try {
      return Report.insert(read(document), suite.name(), text);
    } catch (Report.ReportException e) {
      throw new Report.ReportException("docs/" + document + " is left as it is: " + e.getMessage());
    }
  }

  private String read(String document) throws IOException {
    try {
      return Files.readString(docs.resolve(document), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new IOException("docs/" + document + " cannot be read: " + e, e);
    }
  }

  private static List<Suite> suites(String name) {
    return Suites.ALL.stream().filter(s -> name.equals(ALL) || name.equals(s.name())).toList();
  }

  private static String knownNames() {
    return Stream.concat(Suites.ALL.stream().map(Suite::name), Stream.of(ALL, PLOTS))
        .collect(Collectors.joining(", "));
  }

  private static String help() {
    StringBuilder text = new StringBuilder();
    text.append(
        """
        Usage: benchmarks/run [OPTIONS] NAME
        Measures a suite, prints its tables, and writes them into docs/performance.md, prices into
        docs/backends/dynamodb.md as well.

        """);
    Suites.ALL.forEach(s -> text.append("  %-20s %s%n".formatted(s.name(), s.title())));
    text.append("  %-20s %s%n".formatted(ALL, "all of these, one after the other"));
    text.append("  %-20s %s%n".formatted(PLOTS, "draws the tables again, measures nothing"));
    text.append(
        """

          --quick              seconds instead of minutes, to try it out; nothing is written
          --directory DIR      where the suite file makes its files, some 6 GB, and removes them;
                               default: the directory for temporary files
          --without-million    spares the suite file a million files, which take minutes to make
          --help               shows this

        Exit code: 0 done, 1 failed, 2 wrong usage.
        """);
    return text.toString();
  }

  private int wrongUsage(String problem) {
    err.println("benchmarks/run: " + problem);
    return 2;
  }

  private int failed(String problem) {
    err.println("benchmarks/run: " + problem);
    return 1;
  }
}
