// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import io.taskstore.TaskStoreConfiguration.Entry;
import io.taskstore.spi.BackendConfiguration;
import io.taskstore.spi.Setting;
import io.taskstore.spi.StorageBackendProvider;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A configuration whose texts were understood.
 *
 * @param options of the store
 */
record ResolvedConfiguration(
    StorageBackendProvider provider,
    BackendConfiguration backend,
    Map<Setting<?>, Object> options) {
  private static final String URL = TaskStoreConfiguration.URL;
  private static final String FILE_SUFFIX = TaskStoreConfiguration.FILE_SUFFIX;

  /** RFC 3986, section 3.1. */
  private static final Pattern SCHEME =
      Pattern.compile("([a-zA-Z][a-zA-Z0-9+.-]*):(.*)", Pattern.DOTALL);

  /** A file with a secret; more is a mistake. */
  private static final int MAX_FILE_BYTES = 64 * 1_024;

  /**
   * Understands a configuration.
   *
   * @throws InvalidConfigurationException with all that is wrong
   */
  static ResolvedConfiguration of(Map<String, Entry> entries, BackendProviders providers) {
    return new Resolver(providers).resolve(entries);
  }

  /** Shows nothing that was configured. */
  @Override
  public String toString() {
    return "ResolvedConfiguration[" + backend.scheme() + "]";
  }

  /** One resolution: collects problems. */
  private static final class Resolver {
    private final BackendProviders providers;
    private final List<String> problems = new ArrayList<>();

    Resolver(BackendProviders providers) {
      this.providers = providers;
    }

    ResolvedConfiguration resolve(Map<String, Entry> entries) {
      Map<String, Entry> rest = new TreeMap<>(entries);
      Entry from = rest.getOrDefault(URL, rest.get(URL + FILE_SUFFIX));
      String url = url(rest);
      Matcher parts = url == null ? null : SCHEME.matcher(url);
      StorageBackendProvider provider = null;
      String scheme = "";
      String location = "";
      if (parts != null && parts.matches()) {
        scheme = parts.group(1).toLowerCase(Locale.ROOT);
        String afterScheme = parts.group(2);
        int question = afterScheme.indexOf('?');
        location = question < 0 ? afterScheme : afterScheme.substring(0, question);
        if (question >= 0 && from != null) {
          query(afterScheme.substring(question + 1), from.rank(), rest);
        }
        provider = provider(scheme);
      } else if (url != null) {
        problems.add(
            "the url has no scheme, which says what kind of backend it is; an example is "
                + example());
      }
      Map<Setting<?>, Object> options = new LinkedHashMap<>();
      Map<Setting<?>, Object> ofBackend = new LinkedHashMap<>();
      settings(rest, provider, options, ofBackend);
      problems.addAll(StoreSettings.conflicts(options));
      if (provider == null || !problems.isEmpty()) {
        throw new InvalidConfigurationException(problems);
      }
      return new ResolvedConfiguration(
          provider, new BackendConfiguration(scheme, location, ofBackend), options);
    }

    private @Nullable String url(Map<String, Entry> rest) {
      Entry url = rest.remove(URL);
      Entry file = rest.remove(URL + FILE_SUFFIX);
      if (url != null && file != null) {
        problems.add("%s and %s are both set; remove one".formatted(url.label(), file.label()));
      }
      if (url == null && file != null) {
        return contentOf(file);
      }
      if (url == null) {
        problems.add(
            "no url is set, which says where the tasks are kept: set url (as an environment"
                + " variable TASKSTORE_URL, as a property taskstore.url), for example to "
                + example());
      }
      return url == null ? null : url.text().strip();
    }

    private String example() {
      return providers.all().stream()
          .map(StorageBackendProvider::example)
          .sorted()
          .findFirst()
          .orElse("file:/var/lib/tasks");
    }

    private @Nullable StorageBackendProvider provider(String scheme) {
      List<StorageBackendProvider> found = providers.of(scheme);
      if (found.size() == 1) {
        return found.get(0);
      }
      problems.add(
          found.isEmpty() ? providers.unknown(scheme) : BackendProviders.ambiguous(scheme, found));
      return null;
    }

    /** Adds the settings in the query of a URL, which are of the same rank as the URL. */
    private void query(String query, int rank, Map<String, Entry> rest) {
      for (String pair : query.split("&", -1)) {
        if (pair.isEmpty()) {
          continue;
        }
        int equals = pair.indexOf('=');
        String name = decoded(equals < 0 ? pair : pair.substring(0, equals));
        String text = equals < 0 ? "" : decoded(pair.substring(equals + 1));
        if (name == null || text == null) {
          problems.add(
              "the query of the url has a % that is not followed by two hexadecimal digits, or"
                  + " what they stand for is not UTF-8; write %25 for a % itself");
          continue;
        }
        Entry before = rest.get(name);
        Entry sibling = rest.get(TaskStoreConfiguration.sibling(name));
        if (before != null && before.rank() == rank) {
          problems.add(
              "%s is set in the query of the url and once more; remove one of them"
                  .formatted(before.label()));
        } else if (!overrides(before, rank) && !overrides(sibling, rank)) {
          if (sibling != null && sibling.rank() < rank) {
            rest.remove(TaskStoreConfiguration.sibling(name));
          }
          rest.put(name, new Entry(name, text, rank));
        }
      }
    }

    private static boolean overrides(@Nullable Entry entry, int rank) {
      return entry != null && entry.rank() > rank;
    }

    private static @Nullable String decoded(String text) {
      byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
      byte[] out = new byte[utf8.length];
      int length = 0;
      for (int i = 0; i < utf8.length; i++) {
        byte b = utf8[i];
        if (b == '%') {
          int high = i + 2 < utf8.length ? Character.digit(utf8[i + 1], 16) : -1;
          int low = i + 2 < utf8.length ? Character.digit(utf8[i + 2], 16) : -1;
          if (high < 0 || low < 0) {
            return null;
          }
          b = (byte) (16 * high + low);
          i += 2;
        }
        out[length++] = b;
      }
      try {
        return StandardCharsets.UTF_8
            .newDecoder()
            .decode(ByteBuffer.wrap(out, 0, length))
            .toString();
      } catch (CharacterCodingException e) {
        return null;
      }
    }

    private void settings(
        Map<String, Entry> texts,
        @Nullable StorageBackendProvider provider,
        Map<Setting<?>, Object> options,
        Map<Setting<?>, Object> ofBackend) {
      Map<String, Setting<?>> ofStore = new TreeMap<>();
      StoreSettings.all().forEach(setting -> ofStore.put(setting.name(), setting));
      Map<String, Setting<?>> ofProvider = new TreeMap<>();
      if (provider != null) {
        for (Setting<?> setting : provider.settings()) {
          if (ofStore.containsKey(setting.name())
              || ofProvider.put(setting.name(), setting) != null) {
            problems.add(
                "the backend %s has a setting %s of a name that is taken; ask its author to mend it"
                    .formatted(provider.getClass().getName(), setting.name()));
          }
        }
      }
      texts.forEach(
          (name, entry) -> {
            Setting<?> setting = ofStore.get(name);
            Map<Setting<?>, Object> values = setting == null ? ofBackend : options;
            setting = setting == null ? ofProvider.get(name) : setting;
            if (setting != null) {
              parse(setting, entry, entry.text(), values);
              return;
            }
            setting = secretFromFile(name, ofProvider);
            if (setting == null) {
              if (provider != null) {
                problems.add(unknown(entry, name, ofStore, ofProvider));
              }
            } else if (texts.containsKey(setting.name())) {
              problems.add(
                  "%s and %s are both set; remove one"
                      .formatted(texts.get(setting.name()).label(), entry.label()));
            } else {
              String text = contentOf(entry);
              if (text != null) {
                parse(setting, entry, text, values);
              }
            }
          });
      for (Setting<?> setting : ofProvider.values()) {
        if (setting.isRequired()
            && !texts.containsKey(setting.name())
            && !(setting.isSecret() && texts.containsKey(setting.name() + FILE_SUFFIX))) {
          problems.add(missing(setting));
        }
      }
    }

    private void parse(
        Setting<?> setting, Entry entry, String text, Map<Setting<?>, Object> values) {
      try {
        values.put(setting, setting.parse(text));
      } catch (IllegalArgumentException e) {
        String name = setting.name();
        problems.add(
            entry.label().equals(name)
                ? String.valueOf(e.getMessage())
                : entry.label() + ": " + e.getMessage());
      }
    }

    private static @Nullable Setting<?> secretFromFile(
        String name, Map<String, Setting<?>> settings) {
      Setting<?> setting =
          name.endsWith(FILE_SUFFIX)
              ? settings.get(name.substring(0, name.length() - FILE_SUFFIX.length()))
              : null;
      return setting != null && setting.isSecret() ? setting : null;
    }

    private static String unknown(
        Entry entry,
        String name,
        Map<String, Setting<?>> ofStore,
        Map<String, Setting<?>> ofProvider) {
      TreeSet<String> names = new TreeSet<>(ofStore.keySet());
      names.addAll(ofProvider.keySet());
      boolean isVariable = !entry.label().endsWith(name);
      String nearest = Spelling.nearest(name, names);
      String prefix =
          isVariable ? "" : entry.label().substring(0, entry.label().length() - name.length());
      StringBuilder text = new StringBuilder("there is no setting ").append(entry.label());
      text.append(
          nearest == null ? "." : "; did you mean " + named(nearest, prefix, isVariable) + "?");
      text.append(" There are ");
      return text.append(
              String.join(
                  ", ", names.stream().map(other -> named(other, prefix, isVariable)).toList()))
          .toString();
    }

    private static String named(String name, String prefix, boolean isVariable) {
      return isVariable ? TaskStoreConfiguration.variableOf(name) : prefix + name;
    }

    private static String missing(Setting<?> setting) {
      return "%s is missing: %s. %s Set %s%s, as an environment variable %s"
          .formatted(
              setting.name(),
              setting.type(),
              setting.description(),
              setting.name(),
              setting.isSecret() ? " or " + setting.name() + FILE_SUFFIX : "",
              TaskStoreConfiguration.variableOf(setting.name()));
    }

    private @Nullable String contentOf(Entry entry) {
      try {
        Path file = Path.of(entry.text().strip());
        if (Files.size(file) > MAX_FILE_BYTES) {
          problems.add("the file of %s is too large for a secret".formatted(entry.label()));
          return null;
        }
        return Files.readString(file).replaceFirst("\\R\\z", "");
      } catch (IOException | InvalidPathException e) {
        problems.add(
            "the file of %s cannot be read (%s)"
                .formatted(entry.label(), TaskStoreConfiguration.reason(e)));
        return null;
      }
    }
  }
}
