"""StarCraft II's micromanagement battles, played with the game itself by the packages smac and smacv2."""
