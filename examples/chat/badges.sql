CREATE TABLE event (
  partition INTEGER, "offset" INTEGER, message TEXT, user TEXT, about TEXT,
  PRIMARY KEY (partition, "offset") ON CONFLICT IGNORE
);
CREATE INDEX event_message ON event (message);

-- What others answered or reacted to. One's own answers to oneself are no news.
CREATE VIEW badge AS
  SELECT author.user AS user, count(*) AS badge
  FROM event AS news JOIN event AS author ON author.message = news.about
  WHERE news.about <> '' AND news.user <> author.user
  GROUP BY author.user;
