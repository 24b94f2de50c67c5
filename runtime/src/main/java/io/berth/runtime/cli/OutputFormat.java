package io.berth.runtime.cli;

/** How a command prints. */
enum OutputFormat {
    /** Columns for people. */
    TABLE,
    /** One JSON document for programs. */
    JSON
}
