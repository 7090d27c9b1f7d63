"""What the tests stand on: servers, the SDKs behind one face, raw requests, and what every answer must show."""
