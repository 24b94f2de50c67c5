/** Copies of database rows in files, for the day when the database is damaged. */
@NullMarked
package io.berth.imagestore.copies;

import org.jspecify.annotations.NullMarked;
