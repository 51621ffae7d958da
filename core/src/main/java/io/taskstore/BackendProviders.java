// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import io.taskstore.spi.StorageBackendProvider;
import java.net.URL;
import java.security.CodeSource;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.TreeSet;

/** The providers that are there, and those that should be and are broken. */
final class BackendProviders {
  private static final String GROUP = "io.taskstore:";

  /** Where backends of ours are, for those who lack one. */
  private static final Map<String, String> ARTIFACTS =
      Map.of(
          "memory", "taskstore-backend-memory",
          "file", "taskstore-backend-file",
          "redis", "taskstore-backend-redis",
          "rediss", "taskstore-backend-redis",
          "redis-sentinel", "taskstore-backend-redis",
          "redis-cluster", "taskstore-backend-redis",
          "dynamodb", "taskstore-backend-dynamodb");

  /** A class path that cannot be searched fails each time it is asked for the next provider. */
  private static final int MAX_FAILURES = 100;

  private final List<StorageBackendProvider> providers;
  private final List<String> broken;

  BackendProviders(List<StorageBackendProvider> providers, List<String> broken) {
    this.providers = List.copyOf(providers);
    this.broken = List.copyOf(broken);
  }

  /** Looks for them where this thread's classes come from, and where this library's do. */
  static BackendProviders ofThisProcess() {
    List<StorageBackendProvider> providers = new ArrayList<>();
    Set<String> broken = new TreeSet<>();
    ClassLoader ours = TaskStores.class.getClassLoader();
    ClassLoader ofThread = Thread.currentThread().getContextClassLoader();
    if (ofThread != null) {
      load(ServiceLoader.load(StorageBackendProvider.class, ofThread), providers, broken);
    }
    if (ofThread != ours) {
      load(ServiceLoader.load(StorageBackendProvider.class, ours), providers, broken);
    }
    return new BackendProviders(providers, List.copyOf(broken));
  }

  private static void load(
      ServiceLoader<StorageBackendProvider> loader,
      List<StorageBackendProvider> providers,
      Set<String> broken) {
    Iterator<ServiceLoader.Provider<StorageBackendProvider>> found = loader.stream().iterator();
    for (int failures = 0; failures < MAX_FAILURES; ) {
      try {
        if (!found.hasNext()) {
          return;
        }
        StorageBackendProvider provider = found.next().get();
        boolean isKnown = providers.stream().anyMatch(p -> p.getClass() == provider.getClass());
        if (!isKnown) {
          checkSchemes(provider);
          providers.add(provider);
        }
      } catch (ServiceConfigurationError | LinkageError | RuntimeException e) {
        // Others are not to suffer from it; who asks for its scheme is told.
        broken.add(reason(e));
        failures++;
      }
    }
  }

  private static void checkSchemes(StorageBackendProvider provider) {
    try {
      Objects.requireNonNull(provider.schemes(), "it has none");
    } catch (LinkageError | RuntimeException e) {
      throw new ServiceConfigurationError(
          StorageBackendProvider.class.getName()
              + ": Provider "
              + provider.getClass().getName()
              + " cannot say its schemes",
          e);
    }
  }

  private static String reason(Throwable e) {
    Throwable cause = e.getCause();
    String message = String.valueOf(e.getMessage());
    return cause == null || message.contains(String.valueOf(cause.getMessage()))
        ? message
        : message + " (" + cause + ")";
  }

  List<StorageBackendProvider> all() {
    return providers;
  }

  /** Those that have a scheme; one, unless something is wrong. */
  List<StorageBackendProvider> of(String scheme) {
    return providers.stream().filter(provider -> provider.schemes().contains(scheme)).toList();
  }

  /** What is wrong if there is none. */
  String unknown(String scheme) {
    Set<String> known = new TreeSet<>();
    providers.forEach(provider -> known.addAll(provider.schemes()));
    StringBuilder text = new StringBuilder("there is no backend for the scheme " + scheme + ":");
    String artifact = ARTIFACTS.get(scheme);
    if (artifact != null) {
      text.append(" add ").append(GROUP).append(artifact);
      text.append(known.isEmpty() ? "; there is no other" : "; there are " + join(known));
    } else if (known.isEmpty()) {
      text.append(" there is none at all; add ");
      text.append(GROUP).append("taskstore-backend-file, for example");
    } else {
      text.append(" there are ").append(join(known));
      String nearest = Spelling.nearest(scheme, known);
      text.append(nearest == null ? "" : "; did you mean " + nearest + ":");
    }
    if (!broken.isEmpty()) {
      text.append("; could not be loaded: ").append(String.join("; ", broken));
    }
    return text.toString();
  }

  private static String join(Set<String> schemes) {
    return String.join(", ", schemes.stream().map(scheme -> scheme + ":").toList());
  }

  /** What is wrong if there are several. */
  static String ambiguous(String scheme, List<StorageBackendProvider> several) {
    List<String> origins = new ArrayList<>();
    for (StorageBackendProvider provider : several) {
      origins.add(provider.getClass().getName() + " in " + origin(provider.getClass()));
    }
    origins.sort(null);
    return "there is more than one backend for the scheme %s: %s; remove one of them"
        .formatted(scheme, String.join(" and ", origins));
  }

  private static String origin(Class<?> type) {
    CodeSource source = type.getProtectionDomain().getCodeSource();
    URL location = source == null ? null : source.getLocation();
    return location == null ? "the runtime" : location.toString();
  }
}
